"""Reranking: request -> call, scores -> one object (docs.cohere.com/reference/rerank, jina.ai)."""

from penstock.api.openai.answers import EmbeddingUsage, RerankResponse, RerankResult
from penstock.api.openai.limits import check_length
from penstock.api.openai.wire import RerankRequest, TextDocument
from penstock.domain.errors import InvalidRequest
from penstock.domain.model import Capabilities
from penstock.domain.rerank import RerankCall, Scores


def rerank_call(request: RerankRequest, capabilities: Capabilities) -> RerankCall:
    """Raises InvalidRequest, ContextLengthExceeded."""
    check_length(len(request.query), capabilities.max_input_tokens, "query")
    documents = tuple(map(text_of, request.documents))
    for index, document in enumerate(documents):
        if not document:
            raise InvalidRequest(
                f"'documents' must not hold an empty text: number {index}.", param="documents"
            )
        check_length(len(request.query) + len(document), capabilities.max_input_tokens, "documents")
    return RerankCall(query=request.query, documents=documents)


def text_of(document: str | TextDocument) -> str:
    return document.text if isinstance(document, TextDocument) else document


def rerank_response(
    request: RerankRequest, model: str, scores: Scores, *, id_: str
) -> RerankResponse:
    """The best `top_n`; equal scores stay in the order of the request."""
    ranked = sorted(range(len(scores.values)), key=lambda at: -scores.values[at])
    return RerankResponse(
        id=id_,
        model=model,
        results=[
            RerankResult(
                at,
                scores.values[at],
                TextDocument(text_of(request.documents[at])) if request.return_documents else None,
            )
            for at in ranked[: request.top_n]
        ],
        usage=EmbeddingUsage(scores.prompt_tokens, scores.prompt_tokens),
    )
