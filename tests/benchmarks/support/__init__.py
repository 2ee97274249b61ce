"""What the benchmarks of the running shop share: a throw-away shop, clients, processor time, pgbench, a profiler."""
