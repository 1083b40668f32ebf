"""The commands of `moorage-provider`, one file each."""
