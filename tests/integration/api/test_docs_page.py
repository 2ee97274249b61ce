"""The page of the API's documentation, in a browser that reaches nothing but this machine."""

import pytest

from tests.harness.api import Server
from tests.harness.browser import page_in_chromium


@pytest.mark.slow
@pytest.mark.browser
def test_the_documentation_is_drawn_from_files_of_this_machine(api_server: Server) -> None:
    with page_in_chromium() as (page, complaints):
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{api_server.url}/")
        page.wait_for_selector(".opblock-tag-section")

        assert page.url == f"{api_server.url}/docs"
        page.click("h3.opblock-tag[data-tag=orders]")
        assert "/api/v1/orders" in page.inner_text("#operations-orders-placeOrder")
        assert [url for url in asked if not url.startswith((api_server.url, "data:"))] == []
        assert complaints == []
