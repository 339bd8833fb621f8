"""What has it counted."""

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from server.api.exchange import Asking

router = APIRouter()


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(asking: Asking) -> Response:
    """Everything counted so far, for Prometheus."""
    exposition = asking.parts.gauges.exposition()
    return Response(exposition.body, headers={"content-type": exposition.media_type})
