"""The deployment file, format 0.1: from YAML to what goes on chain and the manifest. See docs/deployment-file.md."""

from moorage.deployment_file.compiler import CompiledDeployment, compile
from moorage.deployment_file.loader import load, load_text
from moorage.deployment_file.problems import DeploymentFileError, Position, Problem
from moorage.deployment_file.spec import (
    Datacenter,
    DeploymentSpec,
    Event,
    Notification,
    NotificationType,
    Placement,
    Profile,
    Service,
)

__all__ = [
    "CompiledDeployment",
    "Datacenter",
    "DeploymentFileError",
    "DeploymentSpec",
    "Event",
    "Notification",
    "NotificationType",
    "Placement",
    "Position",
    "Problem",
    "Profile",
    "Service",
    "compile",
    "load",
    "load_text",
]
