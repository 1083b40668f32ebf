"""The deployment file, format 0.1: from YAML to what goes on chain and the manifest. See docs/deployment-file.md."""

from moorage.deployment_file.compiler import CompiledDeployment, compile
from moorage.deployment_file.dump import dump
from moorage.deployment_file.include_rules import IncludeRules
from moorage.deployment_file.loader import Whole, load, load_file, load_text, load_whole
from moorage.deployment_file.lock import write_lock
from moorage.deployment_file.problems import DeploymentFileError, Position, Problem
from moorage.deployment_file.schema import schema_text
from moorage.deployment_file.spec import (
    Datacenter,
    DeploymentSpec,
    Notification,
    NotificationType,
    Placement,
    Profile,
    Service,
)
from moorage.events import Event

__all__ = [
    "CompiledDeployment",
    "Datacenter",
    "DeploymentFileError",
    "DeploymentSpec",
    "Event",
    "IncludeRules",
    "Notification",
    "NotificationType",
    "Placement",
    "Position",
    "Problem",
    "Profile",
    "Service",
    "Whole",
    "compile",
    "dump",
    "load",
    "load_file",
    "load_text",
    "load_whole",
    "schema_text",
    "write_lock",
]
