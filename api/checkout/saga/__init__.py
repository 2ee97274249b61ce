"""The saga: its transitions, the lease, what each step writes, and the driver."""
