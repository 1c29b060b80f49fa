"""What a login by phone costs, beside a login with nothing around it: `python -m benchmarks`."""
