"""Search on an OpenSearch cluster, behind the interface of the index in process."""
