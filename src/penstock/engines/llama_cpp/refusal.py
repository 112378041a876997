"""llama-server's HTTP errors as ours."""

from penstock.domain.errors import ContextLengthExceeded, EngineFailed, InvalidRequest
from penstock.engines.chunks import error_message
from penstock.http.client import Broken, Exchange

#: What a refusal speaks of, and the field that it is about.
FIELDS = (
    ("enable_thinking", "chat_template_kwargs"),
    ("assistant message", "messages"),
    ("image or audio", "messages"),
    ("json_schema", "response_format"),
    ("grammar", "response_format"),
)


async def refusal(exchange: Exchange, *, param: str) -> Exception:
    """The exception for an answer that is no 200; after our checks a 500 is nearly always its own.

    `param` is the field that a prompt which is too long stands in.
    """
    try:
        message, error = error_message(await exchange.read(1024 * 1024))
    except Broken:
        message, error = "it broke off its error message", {}
    if error.get("type") == "exceed_context_size_error":
        return ContextLengthExceeded(
            f"The prompt has {error.get('n_prompt_tokens')} tokens; this model's context length "
            f"is {error.get('n_ctx')}.",
            param=param,
        )
    if param in ("input", "documents") and "too large to process" in message:
        return ContextLengthExceeded(f"An input is too long: {message}", param=param)
    if exchange.status in (400, 404, 422):
        at_fault = next((field for sign, field in FIELDS if sign in message), None)
        return InvalidRequest(f"The engine refused the request: {message}", param=at_fault)
    return EngineFailed(f"The engine answered {exchange.status}: {message}")
