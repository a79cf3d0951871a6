"""The same packages on a cluster's workers: Dask, ipyparallel, Ray and Spark.

`cargo.py` says what this environment has beyond its image, `worker/` is sent to the workers and
brings them to it, and each kind of cluster has a module that carries both by the cluster's own
channels. `sync.py` puts them together.
"""
