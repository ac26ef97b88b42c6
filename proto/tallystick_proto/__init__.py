"""Python code generated from `proto/tallystick/v1/*.proto` by `make proto`; do not edit."""
