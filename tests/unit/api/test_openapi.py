"""The OpenAPI document as clients generate code from it: names given by hand, never made from function names."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from api.app import ROUTERS, create_app
from api.kernel.errors import Problem
from api.kernel.errors import problem_types as kinds_of_problem
from api.kernel.settings import Settings

# Clients call methods by these names: removing or renaming one breaks them. Add, do not change.
OPERATIONS = {
    "explainProblem", "getLiveness", "getReadiness", "getSigningKeys",
    "register", "login", "refresh", "logout", "getProfile", "changeProfile", "listAddresses", "addAddress",
    "deleteAddress",
    "sendProducts", "listProductFiles", "getProductFile", "cancelProductFile", "getProductFileReport", "exportProducts",
    "getProductFeedXml", "getProductFeedCsv", "getSitemap", "getSitemapPart",
    "getAgentProductFeed", "getAgentFeedMetadata",
    "createCheckoutSession", "getCheckoutSession", "updateCheckoutSession", "completeCheckoutSession",
    "cancelCheckoutSession",
    "listCategories", "getCategory", "createCategory", "changeCategory", "mergeCategory", "deleteCategory",
    "listAttributes", "setAttributes", "getStore", "getOwnStore", "describeStore",
    "listOffers", "listOfferMatches", "decideOfferMatch", "undoOfferMatch",
    "verifySeller", "listQueuedProducts", "decideProduct", "listProductDecisions",
    "reportProduct", "lookUpReport", "listReportedProducts", "listProductReports", "decideReports",
    "listOwnReportDecisions", "contestDecision", "listObjections", "decideObjection",
    "listQuestions", "askQuestion", "listAnswers", "answerQuestion", "listQuestionReports", "editPost", "removePost",
    "votePost", "unvotePost", "reportPost", "listRecentlyViewed", "clearRecentlyViewed", "setRecentlyViewed",
    "listReviews", "getReviewSummary", "createReview", "getReview", "changeReview", "deleteReview",
    "listReviewVersions", "listOwnReviews", "eraseOwnReviews", "voteHelpful", "voteNotHelpful", "withdrawVote",
    "answerReview", "withdrawAnswer", "reportReview", "unsubscribeReviewRequests",
    "listWaitingReviews", "decideReview", "reopenReview", "releaseVotes", "listReviewDecisions", "appealForReview",
    "setBuyersOnly", "setBuyersOnlyForStore",
    "compareProducts", "listBrands", "getBrand", "setProductSafety",
    "listProducts", "getProduct", "listVariants", "getGeneratedImage", "getDrawnPicture",
    "putDigitalFile", "getDigitalFile", "download",
    "addLicenceKeys", "getLicenceKeyPool", "withdrawLicenceKeys", "listDigitalGoods", "lookUpDigitalGoods",
    "createProduct", "replaceProduct", "changeProduct", "deleteProduct", "listOwnProducts",
    "listVersions", "getVersion", "restoreVersion", "getSchedule", "setSchedule", "removeSchedule",
    "listAwaitedImages", "listImages", "addImage", "changeImage", "removeImage", "getPicture",
    "getCart", "streamCart", "addCartItem", "setCartItem", "removeCartItem",
    "addCartCoupon", "removeCartCoupon",
    "createPromotion", "listPromotions", "getPromotion", "changePromotion", "endPromotion",
    "reportSearches", "eraseOwnSearches", "listSynonyms", "addSynonym", "suggestSynonyms", "decideSynonym",
    "search", "autocomplete", "recordEvents", "recommendForYou", "recommendRelated",
    "placeOrder", "getOrder", "listOrders", "cancelOrder", "returnOrder", "advanceOrder", "decideReturn",
    "previewOrder", "approveReturn", "rejectReturn", "cancelOrderItem", "refundOrder", "exchangeOrderItem",
    "listMyOrders", "buyAgain", "listOrderInvoices", "getInvoicePdf", "listSellerInvoices",
    "requestOrderClaim", "claimOrders", "lookUpOrder", "requestOrderLookUp",
    "stageOrderEdit", "getOrderEdit", "dropOrderEdit", "commitOrderEdit",
    "askParcelRates", "buyParcelLabel", "getParcelLabel", "cancelParcelLabel",
    "getParcelLabelPdf", "getParcelLabelPng", "getReturnLabel", "getReturnLabelPdf", "getReturnLabelPng",
    "getReturnLabelByLink",
    "receiveScans", "trackOrder", "trackParcel", "trackByLink",
    "listSellerOrders", "getSellerOrder", "processParcel", "shipParcel", "deliverParcel", "splitParcel", "cancelParcel",
    "getVariantStock", "adjustStock", "listWarehouses", "listVariantStock", "setLowStock", "countStock",
    "allowBackorders", "transferStock", "replenishStock", "listReplenishments", "receiveStock", "cancelReplenishment",
}  # fmt: skip
CAMEL = re.compile(r"[a-z]+([A-Z][a-z]*)*")


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return create_app(
        Settings.model_validate(
            {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "SOUK_PROFILE": "test", "SOUK_LOG_LEVEL": "error"}
        )
    )


@pytest.fixture(scope="module")
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


def routes(app: FastAPI) -> list[APIRoute]:
    """Every documented route, as it was declared."""
    declared = [route for router in (*(router for router, _ in ROUTERS), app.router) for route in router.routes]
    return [route for route in declared if isinstance(route, APIRoute) and route.include_in_schema]


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            yield path, operation


def test_operations_keep_their_names(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(document)]

    assert len(names) == len(set(names))
    assert set(names) == OPERATIONS


def test_every_name_and_summary_is_given_by_hand(app: FastAPI) -> None:
    found = routes(app)

    assert [route.path for route in found if route.operation_id is None or not route.summary] == []
    assert [route.operation_id for route in found if not CAMEL.fullmatch(str(route.operation_id))] == []
    assert [route.summary for route in found if len(str(route.summary)) > 80 or str(route.summary).endswith(".")] == []
    assert len(found) == len(OPERATIONS)


def test_parameters_in_paths_are_camel_case(document: dict[str, Any]) -> None:
    named = {name for path, _ in operations(document) for name in re.findall(r"\{(.+?)\}", path)}

    assert {name for name in named if not CAMEL.fullmatch(name)} == set()
    assert {
        "orderId",
        "productId",
        "reviewId",
        "variantId",
        "userId",
        "itemId",
        "addressId",
        "returnId",
        "code",
        "parcelId",
        "orderItemId",
        "warehouseId",
        "replenishmentId",
        "number",
        "carrier",
        "editId",
        "promotionId",
        "jobId",
        "part",
        "category",
        "categoryId",
        "sellerId",
        "questionId",
        "postId",
        "slug",
        "imageId",
        "version",
        "name",
        "file",
        "sessionId",
        "digest",
        "decisionId",
        "otherProductId",
        "synonymId",
    } == named


def test_every_kind_of_problem_is_in_the_document(document: dict[str, Any]) -> None:
    codes = {kind.code for kind in kinds_of_problem()}

    assert {code for code in codes if f"`{code}`" not in document["info"]["description"]} == set()
    assert len(codes) > 30


def test_a_problem_that_an_operation_raises_is_among_its_answers(document: dict[str, Any]) -> None:
    """What only one noun raises is said where it is raised, not in the table alone."""
    where = json.dumps(document["paths"])
    general = {kind.code for kind in kinds_of_problem() if kind.__module__ == Problem.__module__}

    assert {kind.code for kind in kinds_of_problem() if f"`{kind.code}`" not in where} <= general


def test_every_operation_says_what_may_happen_to_any_request(document: dict[str, Any]) -> None:
    for path, operation in operations(document):
        # A token that is sent is judged, also where none is needed.
        judged = any(parameter["name"] == "authorization" for parameter in operation.get("parameters", []))
        expected = (
            {"422", "500", "503"} | ({"401"} if judged else set()) | ({"413"} if "requestBody" in operation else set())
        )
        assert expected <= operation["responses"].keys(), path
