"""The test suite's real parts: conda channels and environments, wheels and an index, kernels."""
