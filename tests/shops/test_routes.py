"""Shops over HTTP."""

import pytest

from tests.clients import Client


@pytest.mark.parametrize("shop", ["no_slug", "-dkr", "d" * 41, "dkr%20"])
def test_an_address_that_no_shop_can_have_is_told_by_its_parameter(shared_client: Client, shop: str) -> None:
    answer = shared_client.put_shop(shop, name="Dakar")

    assert answer.status_code == 422
    assert [error["parameter"] for error in answer.json["errors"]] == ["shop"]
