"""The commands of `moorage-facilitator`, one file each."""
