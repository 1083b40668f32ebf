"""The program `moorage`: what a tenant does, from a deployment file to workloads that run, and back."""
