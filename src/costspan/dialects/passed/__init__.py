"""Formats that are passed to targets that speak them, metered, and translated into no other."""

from __future__ import annotations

from costspan.dialects.passed import looks, usage
from costspan.dialects.passed.format import TYPED_MARKERS, Passed

__all__ = ["FORMATS", "Passed"]

FORMATS: tuple[Passed, ...] = (
    Passed(
        NAME="openai-completions",
        OPERATION="text_completion",
        served_at="/completions",
        look=looks.at_completion,
        usage=usage.of_completion,
        holds=("choices",),
    ),
    Passed(
        NAME="openai-moderations",
        OPERATION="moderation",
        served_at="/moderations",
        look=looks.at_moderation,
        usage=usage.of_moderation,
        holds=("results",),
    ),
    Passed(
        NAME="openai-images",
        OPERATION="image_generation",
        served_at="/images/generations",
        look=looks.at_images,
        usage=usage.of_images,
        holds=("data",),
        last=("image_generation.completed",),
        MARKERS=TYPED_MARKERS,
        several=True,
    ),
    Passed(
        NAME="openai-image-edits",
        OPERATION="image_edit",
        served_at="/images/edits",
        look=looks.at_image_edit,
        usage=usage.of_images,
        holds=("data",),
        last=("image_edit.completed",),
        MARKERS=TYPED_MARKERS,
        several=True,
        TAKES_FORMS=True,
    ),
    Passed(
        NAME="openai-speech",
        OPERATION="speech",
        served_at="/audio/speech",
        look=looks.at_speech,
        usage=usage.of_speech,
        last=("speech.audio.done",),
        MARKERS=TYPED_MARKERS,
        usage_of_request=usage.of_speech_request,
    ),
    Passed(
        NAME="openai-transcriptions",
        OPERATION="transcription",
        served_at="/audio/transcriptions",
        look=looks.at_transcription,
        usage=usage.of_transcript,
        holds=("text",),
        last=("transcript.text.done",),
        MARKERS=TYPED_MARKERS,
        TAKES_FORMS=True,
    ),
    Passed(
        NAME="openai-translations",
        OPERATION="translation",
        served_at="/audio/translations",
        look=looks.at_transcription,
        usage=usage.of_transcript,
        holds=("text",),
        last=("transcript.text.done",),
        MARKERS=TYPED_MARKERS,
        TAKES_FORMS=True,
    ),
    Passed(
        NAME="rerank",
        OPERATION="rerank",
        served_at="/rerank",
        look=looks.at_rerank,
        usage=usage.of_rerank,
        holds=("results", "data"),
    ),
)
