"""The daemon's own HTTP: /metrics, the probes, the API and the console."""

from aiohttp.web import Application

from controller.web.actions import Act, Acted, Actions
from controller.web.app import ACTIONS, GUARD, HUB, VIEWS, Check, OnDemand, Views, heartbeat, serving, web_app
from controller.web.auth import CALLER, Guard, Session, Sessions, set_cookie
from controller.web.bundle import Bundles
from controller.web.events import Hub

__all__ = [
    "ACTIONS",
    "CALLER",
    "GUARD",
    "HUB",
    "VIEWS",
    "Act",
    "Acted",
    "Actions",
    "Application",
    "Bundles",
    "Check",
    "Guard",
    "Hub",
    "OnDemand",
    "Session",
    "Sessions",
    "Views",
    "heartbeat",
    "serving",
    "set_cookie",
    "web_app",
]
