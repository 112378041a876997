# /// script
# requires-python = ">=3.11"
# dependencies = ["langchain-openai==1.7.4", "langchain-tests==1.1.9", "pytest==9.2.0"]
# ///
"""LangChain's own standard tests for chat models and embeddings, on its OpenAI classes."""

from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from langchain_tests.integration_tests import ChatModelIntegrationTests, EmbeddingsIntegrationTests
from place import API_KEY, BASE_URL, CHAT, EMBED, SCRIPTED_URL


class ChatTests(ChatModelIntegrationTests):
    served: str
    base_url: str

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatOpenAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {
            "model": self.served,
            "base_url": self.base_url,
            "api_key": API_KEY,
            "temperature": 0,
            "stream_usage": True,
        }

    @property
    def supports_json_mode(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return self.served


class TestBundledModel(ChatTests):
    served = CHAT
    base_url = BASE_URL


class TestScriptedModel(ChatTests):
    """An engine that answers what is demanding as a big model would: every test has to pass."""

    served = "scripted"
    base_url = SCRIPTED_URL


class TestEmbeddings(EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self) -> type[OpenAIEmbeddings]:
        return OpenAIEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        # With check_embedding_ctx_length (the default) LangChain counts tokens with OpenAI's own
        # vocabulary, which it fetches from the net, and sends ids of that vocabulary.
        return {
            "model": EMBED,
            "base_url": BASE_URL,
            "api_key": API_KEY,
            "check_embedding_ctx_length": False,
        }
