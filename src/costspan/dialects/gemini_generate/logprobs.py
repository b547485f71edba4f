"""Log probabilities: `logprobsResult`, from and to the shape of OpenAI's chat, which canonical form has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from costspan.wire import json


def read_logprobs(result: Any) -> json.Object | None:  # noqa: ANN401 - JSON
    """None where it tells of no token."""
    chosen = result.get("chosenCandidates") if isinstance(result, dict) else None
    if not isinstance(chosen, list) or not chosen:
        return None
    tops = result.get("topCandidates")
    tops = tops if isinstance(tops, list) else []
    content = []
    for position, candidate in enumerate(chosen):
        token = _token(candidate)
        top = tops[position].get("candidates") if position < len(tops) and isinstance(tops[position], dict) else None
        token["top_logprobs"] = [_token(one) for one in top] if isinstance(top, list) else []
        content.append(token)
    return {"content": content, "refusal": None}


def _token(candidate: Any) -> json.Object:  # noqa: ANN401 - JSON
    text, value = (candidate.get("token"), candidate.get("logProbability")) if isinstance(candidate, dict) else ("", 0)
    token = text if isinstance(text, str) else ""
    logprob = value if isinstance(value, int | float) else 0.0
    return {"token": token, "bytes": list(token.encode(errors="replace")), "logprob": logprob}


def write_logprobs(logprobs: Any) -> json.Object | None:  # noqa: ANN401 - OpenAI's object, not ours to type
    """None where there is no token to tell of."""
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    tokens = [token for token in content if isinstance(token, dict)] if isinstance(content, list) else []
    if not tokens:
        return None
    result: json.Object = {"chosenCandidates": [_candidate(token) for token in tokens]}
    tops = [token.get("top_logprobs") for token in tokens]
    if any(tops):
        result["topCandidates"] = [
            {"candidates": [_candidate(one) for one in top if isinstance(one, dict)] if isinstance(top, list) else []}
            for top in tops
        ]
    return result


def _candidate(token: json.Object) -> json.Object:
    return {"token": token.get("token", ""), "logProbability": token.get("logprob", 0.0)}
