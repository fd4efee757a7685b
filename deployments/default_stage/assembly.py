"""Builds the application for the existing web client from its dependencies."""

from dataclasses import dataclass

from deployments.default_stage import docs_routes as docs_calls
from deployments.default_stage import gym_routes as gym_calls
from deployments.default_stage import machine_routes as machine_calls
from deployments.default_stage import machine_use_routes as machine_use_calls
from deployments.default_stage import pass_routes as pass_calls
from deployments.default_stage import payment_routes as payment_calls
from deployments.default_stage import user_routes as user_calls
from deployments.default_stage.code_answers import CodeAnswers
from deployments.default_stage.dependencies import Door, StageDependencies
from deployments.default_stage.rights import STAGE_RIGHTS
from deployments.http.asgi import AsgiApplication, RequestLimits
from deployments.http.auth import open_authenticator
from deployments.http.background_tasks import Lifespan
from deployments.http.confirmed_cache import USUAL, Freshness
from deployments.http.fastapi_app import guarded_app
from deployments.http.pictures import Pictures
from deployments.http.ports import GymClient, IdentityClient, PassIssuer, PaymentsClient, VerifiesTokens
from deployments.http.route_guard import RouteGuard
from deployments.http.threaded_image_store import ThreadedImageStore
from deployments.http.uploads import Uploads
from domain.clock import Clock
from domain.images.ports import ImageStore
from integrations.settings import Settings

_AREAS = (user_calls, pass_calls, gym_calls, machine_calls, machine_use_calls, payment_calls, docs_calls)


@dataclass(frozen=True, slots=True)
class StageBackends:
    """What the application depends on. `tokens` verifies ID tokens."""

    gym: GymClient
    identity: IdentityClient
    qr: PassIssuer
    payments: PaymentsClient
    door: Door
    tokens: VerifiesTokens
    images: ImageStore


def assemble_stage(
    backends: StageBackends,
    settings: Settings,
    clock: Clock,
    *,
    freshness: Freshness = USUAL,
    names_request: bool = True,
) -> AsgiApplication:
    """Build the ASGI application; arguments as of `deployments.gateway.assembly.assemble`."""
    authenticator = open_authenticator(backends.gym, backends.identity, backends.tokens, freshness, settings.api)
    app = guarded_app(
        "FIT Monitor, default stage",
        "The calls of the existing web client.",
        [area.router() for area in _AREAS],
        RouteGuard.of(STAGE_RIGHTS, authenticator, settings.api),
    )
    docs_calls.add_document(app)
    stage = settings.default_stage
    codes = CodeAnswers(backends.identity, settings, clock)
    images = ThreadedImageStore(backends.images)
    app.state.dependencies = StageDependencies(
        gym=backends.gym,
        identity=backends.identity,
        qr=backends.qr,
        payments=backends.payments,
        door=backends.door,
        tokens=backends.tokens,
        codes=codes,
        pictures=Pictures(images, presigned=False),  # that client reads the picture from here
        uploads=Uploads(images, settings.images),
        settings=stage,
        api=settings.api,
    )

    return AsgiApplication(
        app,
        RequestLimits.of(
            settings,
            larger=payment_calls.LARGER_BODIES,
            uploads=machine_calls.UPLOADS,
            untyped_json=True,  # that client sends JSON as strings, without a type
        ),
        clock,
        lifespan=Lifespan(authenticator),
        names_request=names_request,
    )
