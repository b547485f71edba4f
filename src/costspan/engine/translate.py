"""Between a client's dialect and a target's, by operation: chat formats among themselves, embeddings among themselves.

A format that is only passed has no other that it could be translated into.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, TypeAlias

from costspan.dialects import CLIENT_DIALECTS, DIALECTS, EMBEDDING_CLIENTS, EMBEDDINGS, METERED
from costspan.dialects.losses import in_words
from costspan.dialects.types import Dialect, EmbeddingDialect, PassedDialect
from costspan.engine.pipe import Translation
from costspan.engine.recall import Witness
from costspan.errors import Untranslatable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from costspan.dialects.types import (
        EmbeddingUpstream,
        Encoded,
        Metered,
        Profile,
        StreamOptions,
        UpstreamDialect,
    )
    from costspan.engine.pipe import Pipe
    from costspan.engine.recall import Recall
    from costspan.ir.embedding import EmbeddingRequest
    from costspan.ir.request import Request
    from costspan.wire import json

Client: TypeAlias = Dialect | EmbeddingDialect | PassedDialect
"""What a client can speak."""


class Back(Protocol):
    """How a target's answer becomes one in the client's dialect."""

    def reply(self, body: json.Object, profile: Profile, options: StreamOptions) -> Encoded:
        """Translate a whole answer. Raises `Malformed`."""

    def pipe(self, profile: Profile, options: StreamOptions) -> Pipe:
        """A pipe for a streamed one."""


@dataclass(frozen=True, slots=True)
class ChatBack:
    """Between chat formats. What the target seals is kept in `recall` for `owner`."""

    client: Dialect
    upstream: UpstreamDialect
    recall: Recall
    owner: str

    def reply(self, body: json.Object, profile: Profile, options: StreamOptions) -> Encoded:
        """See the protocol."""
        found = self.upstream.decode_reply(body, profile)
        self.recall.learn(self.owner, found)
        return self.client.encode_reply(found, options)

    def pipe(self, profile: Profile, options: StreamOptions) -> Pipe:
        """See the protocol."""
        decoder, encoder = self.upstream.new_decoder(profile), self.client.new_encoder(options)
        return Translation(decoder, encoder, Witness(self.recall, self.owner))


@dataclass(frozen=True, slots=True)
class EmbeddingBack:
    """Between embeddings formats. The request says how the client wants its vectors."""

    client: EmbeddingDialect
    upstream: EmbeddingUpstream
    request: EmbeddingRequest

    def reply(self, body: json.Object, profile: Profile, options: StreamOptions) -> Encoded:
        """See the protocol."""
        found = self.upstream.decode_reply(body, profile)
        return self.client.encode_reply(replace(found, format=self.request.format), options)

    def pipe(self, profile: Profile, options: StreamOptions) -> Pipe:
        """Embeddings do not stream: no peek says so."""
        raise AssertionError(profile, options)


Canonical: TypeAlias = "Request | EmbeddingRequest"


def alike(client: Client) -> Collection[str]:
    """Names of the dialects that requests in `client` can be sent in."""
    if client.NAME in CLIENT_DIALECTS:
        return DIALECTS
    if client.NAME in EMBEDDING_CLIENTS:
        return EMBEDDINGS
    return (client.NAME,)


def upstream(name: str) -> Metered:
    """The dialect of that name, as far as passing and metering need it."""
    return METERED[name]


def decode(client: Client, fields: json.Object) -> Canonical:
    """The request in canonical form. Raises `ClientError`."""
    if client.NAME in CLIENT_DIALECTS:
        return CLIENT_DIALECTS[client.NAME].decode_request(fields)
    if client.NAME in EMBEDDING_CLIENTS:
        return EMBEDDING_CLIENTS[client.NAME].decode_request(fields)
    raise Untranslatable("this kind of request cannot be translated", param="model")


@dataclass(frozen=True, slots=True)
class Target:
    """Who is asked: in which dialect, for which model, with which differences of the host."""

    dialect: str
    model: str
    profile: Profile


def encode(client: Client, request: Canonical, target: Target, recall: Recall, owner: str) -> tuple[Encoded, Back]:
    """The request for `target`, and the way back. Raises `Untranslatable`."""
    back: Back
    if client.NAME in EMBEDDING_CLIENTS:
        texts: EmbeddingRequest = replace(request, model=target.model)  # type: ignore[assignment] # - decode made it so
        embedding = EMBEDDINGS[target.dialect]
        back = EmbeddingBack(EMBEDDING_CLIENTS[client.NAME], embedding, texts)
        return embedding.encode_request(texts, target.profile), back
    chat: Request = replace(request, model=target.model)  # type: ignore[assignment] # - decode made it so
    upstream, speaker = DIALECTS[target.dialect], CLIENT_DIALECTS[client.NAME]
    back = ChatBack(speaker, upstream, recall, owner)
    chat = recall.restore(owner, chat, target.dialect)
    try:
        encoded = upstream.encode_request(chat, target.profile)
    except Untranslatable as error:
        (param,) = in_own_words((error.param or "",), chat, speaker)
        raise Untranslatable(error.message, param=param) from None
    return replace(encoded, losses=in_own_words(encoded.losses, chat, speaker)), back


def in_own_words(names: Iterable[str], request: Request, client: Dialect) -> tuple[str, ...]:
    """Losses as the client calls them. What only its own dialect knows has been in its words all along."""
    own = request.extensions.get(client.NAME, {})
    return tuple(dict.fromkeys(name if name in own else in_words(name, client.WORDS) for name in names))
