"""Satoshi Machine Admin: Lamassu cash-outs reach the DCA clients' LNbits wallets, exactly once.

What LNbits looks for in an extension, and nothing else.
"""

from fastapi import APIRouter

from .lnbits_version import require_loadable

require_loadable()

from .crud import db  # noqa: E402 - an LNbits that is too old has not what this imports
from .tasks import satmachineadmin_start, satmachineadmin_stop  # noqa: E402
from .views import page_router  # noqa: E402
from .views_api import api_router  # noqa: E402

satmachineadmin_ext: APIRouter = APIRouter(
    prefix="/satmachineadmin", tags=["Satoshi Machine Admin"]
)
satmachineadmin_ext.include_router(page_router)
satmachineadmin_ext.include_router(api_router)

satmachineadmin_static_files = [
    {"path": "/satmachineadmin/static", "name": "satmachineadmin_static"}
]

__all__ = [
    "db",
    "satmachineadmin_ext",
    "satmachineadmin_start",
    "satmachineadmin_static_files",
    "satmachineadmin_stop",
]
