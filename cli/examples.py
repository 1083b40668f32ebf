"""What stands at the end of each command's help: lines that can be typed as they stand."""

from __future__ import annotations

import click

EXAMPLES = {
    "init": ("moorage init", "moorage init --list"),
    "schema": ("moorage schema > moorage.schema.json",),
    "validate": ("moorage validate -f moorage.yml", "moorage validate -o json"),
    "search": ("moorage search", "moorage search -f moorage.yml -o json"),
    "plan": ("moorage plan", "moorage plan -f moorage.yml -o json"),
    "register": ("moorage register --deposit 100", "moorage register --import-key-file key.txt"),
    "create": ("moorage create -f moorage.yml --fund 24h", "moorage create --yes -o json"),
    "deploy": ("moorage deploy -f moorage.yml --fund 24h", "moorage deploy --detach --yes"),
    "update": ("moorage update -f moorage.yml", "moorage update --detach --yes"),
    "status": ("moorage status -f moorage.yml", "moorage status --deployment 0x0c65c555 -v"),
    "list": ("moorage list --all", "moorage list -o json"),
    "logs": ("moorage logs web", "moorage logs web --follow"),
    "exec": ("moorage exec web -- ls /tmp",),
    "delete": ("moorage delete -f moorage.yml", "moorage delete --deployment 0x0c65c555 --yes"),
    "notify watch": ("moorage notify watch", "moorage notify watch --all --once"),
    "notify send": ("moorage notify send ops", "moorage notify send ops --event lease.stale"),
    "notify list": ("moorage notify list",),
    "fund": ("moorage fund --for 24h", "moorage fund --deployment 0x0c65c555 --up-to 7d"),
    "withdraw": ("moorage withdraw all", "moorage withdraw 12.5"),
    "send": ("moorage send pay.json.signed",),
    "allowance list": ("moorage allowance list",),
    "allowance revoke": ("moorage allowance revoke all",),
    "wallet new": ("moorage wallet new", "moorage wallet new --wallet other.json --password-file password"),
    "wallet import": ("moorage wallet import key.txt",),
    "wallet export": ("moorage wallet export copy.json",),
    "wallet list": ("moorage wallet list",),
    "wallet sign": ("moorage wallet sign pay.json --market 31337.json",),
    "context add": ("moorage context add home --rpc https://node.example --market market.json",),
    "context use": ("moorage context use home",),
    "context remove": ("moorage context remove home",),
    "context list": ("moorage context list",),
    "manager set": ("moorage manager set 0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC --can update",),
    "manager list": ("moorage manager list",),
    "manager revoke": ("moorage manager revoke 0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",),
    "match": ("moorage match --all", "moorage match 0x508926b2"),
    "stale": ("moorage stale --all", "moorage stale 0x508926b2"),
    "finish": ("moorage finish --all", "moorage finish 0x508926b2"),
    "claim": ("moorage claim --all", "moorage claim --all --provider 1"),
    "release": ("moorage release --all", "moorage release --all --provider 1"),
    "doctor": ("moorage doctor", "moorage doctor -f moorage.yml -o json"),
    "completion": (
        'eval "$(moorage completion bash)"    # in ~/.bashrc',
        'eval "$(moorage completion zsh)"     # in ~/.zshrc',
        "moorage completion fish > ~/.config/fish/completions/moorage.fish",
    ),
}
"""Words of a command -> lines."""


def add_examples(words: str, command: click.Command) -> None:
    """Give a command and its subcommands their examples."""
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            add_examples(f"{words} {name}", child)
    lines = EXAMPLES.get(words, ())
    if lines:
        title = "Examples:" if len(lines) > 1 else "Example:"
        command.epilog = "\n".join(("\b", title, *(f"  {line}" for line in lines)))
