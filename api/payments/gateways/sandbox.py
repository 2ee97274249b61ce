"""The adapter of the gateway that `python -m api.sandbox` runs."""

from dataclasses import dataclass
from decimal import Decimal

from api.kernel.outbound import Answer, OutboundClient
from api.payments.gateways.interface import Authorised, Declined, GatewayRefused


@dataclass(frozen=True, slots=True)
class SandboxGateway:
    """One sandbox; `name` is its name in the settings."""

    client: OutboundClient
    name: str

    async def authorise(
        self, key: str, amount: Decimal, currency: str, token: str, reference: str
    ) -> Authorised | Declined:
        body: dict[str, object] = {
            "key": key,
            "amount": str(amount),
            "currency": currency,
            "token": token,
            "reference": reference,
        }
        answer = await self.client.post("/v1/authorisations", body)
        if answer.status == 422:
            return Declined(str(answer.body.get("error", "refused")))
        if answer.status >= 400:
            raise GatewayRefused(str(answer.body.get("error", answer.status)))
        if answer.body.get("status") == "authorised":
            return Authorised(str(answer.body["gatewayReference"]))
        return Declined(str(answer.body.get("reason", "declined")))

    async def capture(self, key: str, amount: Decimal) -> str:
        return _reference(
            await self.client.post(
                "/v1/captures", {"key": f"{key}:capture", "authorisationKey": key, "amount": str(amount)}
            )
        )

    async def void(self, key: str) -> str:
        return _reference(await self.client.post("/v1/voids", {"key": f"{key}:void", "authorisationKey": key}))

    async def refund(self, key: str, refund_key: str, amount: Decimal) -> str:
        return _reference(
            await self.client.post("/v1/refunds", {"key": refund_key, "authorisationKey": key, "amount": str(amount)})
        )


def _reference(answer: Answer) -> str:
    if answer.status >= 400:
        raise GatewayRefused(str(answer.body.get("error", answer.status)))
    return str(answer.body["gatewayReference"])
