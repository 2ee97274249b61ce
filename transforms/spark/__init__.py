"""What grows without bound, in Spark: co-purchase pairs and interaction sequences, pure DataFrame -> DataFrame; io in
`run`."""
