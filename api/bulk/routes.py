"""HTTP of files of products: send one, see how far it is, cancel it, and download its report."""

from collections.abc import AsyncIterator
from pathlib import PurePath
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.datastructures import UploadFile

from api.bulk import commands, export, queries
from api.bulk.commands import Upload
from api.bulk.errors import BulkJobNotFound, FileRefused, TooManyBulkJobs
from api.bulk.files.records import Format
from api.bulk.report import lines_of
from api.bulk.schemas import BulkJobBody, BulkJobList
from api.kernel.auth import SellerActor
from api.kernel.body_limits import takes_up_to
from api.kernel.context import Ctx
from api.kernel.errors import BodyTooLarge, FieldError, Forbidden, NotAuthenticated, ValidationFailed
from api.kernel.pagination import PageLimit, PageNumber, PageParams, Pagination
from api.kernel.paths import id_in_path
from api.kernel.problems import responses

router = APIRouter(prefix="/products", tags=["catalog"])
JobId = Annotated[UUID, Depends(id_in_path("jobId", lambda: BulkJobNotFound("You have no bulk job with this id.")))]
_WHO = (NotAuthenticated, Forbidden)
_PIECE = 1 << 18
_TYPES: dict[str, Format] = {
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/jsonl": "jsonl",
    "application/x-ndjson": "jsonl",
    "application/x-jsonlines": "jsonl",
}
_ENDINGS: dict[str, Format] = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_FILE = {"type": "string", "format": "binary"}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": _FILE},
            "application/jsonl": {"schema": _FILE},
            "multipart/form-data": {"schema": {"type": "object", "required": ["file"], "properties": {"file": _FILE}}},
        },
    }
}


@router.post(
    "/bulk",
    status_code=202,
    operation_id="sendProducts",
    summary="Send a file of products, CSV or JSON by line",
    openapi_extra=_BODY,
    responses=responses(*_WHO, FileRefused, ValidationFailed, BodyTooLarge, TooManyBulkJobs),
)
@takes_up_to("bulk_max_bytes")
async def send_products(
    *,
    ctx: Ctx,
    actor: SellerActor,
    request: Request,
    response: Response,
    format: Annotated[  # noqa: A002 - the parameter's name
        Format | None, Query(description="Without it the type of the body, or the ending of the file's name, tells")
    ] = None,
    dry_run: Annotated[bool, Query(alias="dryRun", description="Report what would happen, and change nothing")] = False,
) -> BulkJobBody:
    """One row a variant (docs/catalog-files.md), as the body or as the file of a form. The answer is a job: its rows
    are read in the background, and the same file again changes nothing."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        async with request.form(max_files=1, max_fields=10) as form:
            sent = next((part for part in form.values() if isinstance(part, UploadFile)), None)
            if sent is None:
                raise ValidationFailed("Send the file in the form's part `file`.", errors=[_error("/file", "missing")])
            known = format or _TYPES.get(sent.content_type or "") or _ENDINGS.get(_ending(sent.filename))
            upload = Upload(_format(known), (sent.filename or "")[:255] or None, dry_run)
            job_id = await commands.take_file(ctx, actor, upload, _pieces(sent))
    else:
        upload = Upload(_format(format or _TYPES.get(kind)), None, dry_run)
        job_id = await commands.take_file(ctx, actor, upload, request.stream())
    response.headers["Location"] = f"/api/v1/products/bulk/{job_id}"
    async with ctx.db.read() as tx:
        return await queries.job_of(tx, actor, job_id)


@router.get(
    "/bulk",
    operation_id="listProductFiles",
    summary="Your files of products, newest first",
    responses=responses(*_WHO, ValidationFailed),
)
async def list_product_files(ctx: Ctx, actor: SellerActor, page: PageNumber = 1, limit: PageLimit = 20) -> BulkJobList:
    params = PageParams(page, limit, None)
    async with ctx.db.read() as tx:
        jobs, total = await queries.jobs_of(tx, actor, params)
    more = params.offset + len(jobs) < total
    return BulkJobList(
        jobs=jobs, pagination=Pagination(page=page, limit=limit, total=total, has_more=more, next_cursor=None)
    )


@router.get(
    "/bulk/{jobId}",
    operation_id="getProductFile",
    summary="How far a file of products is",
    responses=responses(*_WHO, BulkJobNotFound),
)
async def get_product_file(ctx: Ctx, actor: SellerActor, job_id: JobId) -> BulkJobBody:
    async with ctx.db.read() as tx:
        return await queries.job_of(tx, actor, job_id)


@router.post(
    "/bulk/{jobId}/cancel",
    operation_id="cancelProductFile",
    summary="Read no further row of a file",
    responses=responses(*_WHO, BulkJobNotFound),
)
async def cancel_product_file(ctx: Ctx, actor: SellerActor, job_id: JobId) -> BulkJobBody:
    """Rows that were read stay as they are. A job that has ended stays ended."""
    await commands.cancel(ctx, actor, job_id)
    async with ctx.db.read() as tx:
        return await queries.job_of(tx, actor, job_id)


@router.get(
    "/bulk/{jobId}/report",
    operation_id="getProductFileReport",
    summary="What became of each row, as CSV",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}, **responses(*_WHO, BulkJobNotFound)},
)
async def get_product_file_report(ctx: Ctx, actor: SellerActor, job_id: JobId) -> StreamingResponse:
    """Row, SKU, result, and for each problem the field, a message and what to do; as far as the file has been read."""
    async with ctx.db.read() as tx:
        await queries.job_of(tx, actor, job_id)
    name = f'attachment; filename="report-{job_id}.csv"'
    headers = {"Content-Disposition": name, "Cache-Control": "private, no-store"}
    return StreamingResponse(lines_of(ctx, actor, job_id), headers=headers, media_type="text/csv")


@router.get(
    "/export",
    operation_id="exportProducts",
    summary="Your products as a file that can be sent back",
    response_class=StreamingResponse,
    responses={
        200: {"content": {"text/csv": {"schema": _FILE}, "application/jsonl": {"schema": _FILE}}},
        **responses(*_WHO, ValidationFailed),
    },
)
async def export_products(
    ctx: Ctx,
    actor: SellerActor,
    format: Annotated[Format, Query()] = "csv",  # noqa: A002 - the parameter's name
) -> StreamingResponse:
    """One row a variant, of every product that is not deleted (docs/catalog-files.md). Sent back unchanged, the file
    changes nothing."""
    content = await export.pieces_of(ctx, actor, format)
    headers = {"Content-Disposition": f'attachment; filename="products.{format}"', "Cache-Control": "private, no-store"}
    media_type = "text/csv" if format == "csv" else "application/jsonl"
    return StreamingResponse(content, headers=headers, media_type=media_type)


def _format(known: Format | None) -> Format:
    if known is None:
        message = "say which: csv or jsonl"
        raise ValidationFailed("The format of the file is not known.", errors=[_error("/query/format", message)])
    return known


def _ending(name: str | None) -> str:
    return PurePath(name or "").suffix.lower()


def _error(pointer: str, message: str) -> FieldError:
    return FieldError(pointer=pointer, message=message)


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(_PIECE):
        yield piece
