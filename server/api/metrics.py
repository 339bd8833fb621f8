"""What has it counted."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from server.api.parts import parts

router = APIRouter()


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Everything counted so far, for Prometheus."""
    exposition = parts(request).gauges.exposition()
    return Response(exposition.body, headers={"content-type": exposition.media_type})
