"""From a request to a record: check, plan, run, observe."""
