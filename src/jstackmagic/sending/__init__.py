"""A kernel's side of the hub's service: records go there, a policy and decisions come back."""
