"""Which of vLLM's parsers reads a family's tool calls and thoughts.

A family is known by the `model_type` of its config.json, or by its architecture; what its chat
template spells decides between relatives. The parsers' names are those of vLLM 0.32
(`vllm/tool_parsers`, `vllm/reasoning`); docs.vllm.ai/en/latest/features/tool_calling.html tells
which model wants which.
"""

import re

import msgspec

from penstock.engines.formats.transformer import TransformerFiles


class Family(msgspec.Struct, frozen=True):
    """`model_type` is a pattern that all of it must match, `template` one to be found anywhere.

    `tools` and `thoughts` name parsers; None: there is none, or the family does no such thing.
    """

    model_type: str
    tools: str | None = None
    thoughts: str | None = None
    template: str = ""


#: A template that begins an answer with a thought, or lets a request say whether it should. Others
#: may know thoughts too, to leave them out of the past.
THINKS = r"enable_thinking|add_generation_prompt[\s\S]{0,400}<think>"

#: The first that matches counts.
FAMILIES = (
    Family("qwen3_5.*", "qwen3_xml", "qwen3"),
    Family("qwen3.*", "qwen3_xml", template=r"<function="),
    Family("qwen3.*", "hermes", "qwen3", template=THINKS),
    Family("qwen[23].*", "hermes", template=r"<tool_call>"),
    Family("gpt_oss", "openai", "openai_gptoss"),
    Family("deepseek_v4.*", "deepseek_v4", "deepseek_v4"),
    Family("deepseek_v32", "deepseek_v32", "deepseek_v3"),
    Family("deepseek_v3", "deepseek_v31", "deepseek_v3", template=r"thinking"),
    Family("deepseek_v3", "deepseek_v3", "deepseek_r1", template=r"<think>"),
    Family("deepseek_v3", "deepseek_v3"),
    Family("llama4", "llama4_pythonic"),
    Family("llama|qwen2", None, "deepseek_r1", template=r"<｜Assistant｜><think>"),
    Family("llama", "hermes", template=r"<tool_call>"),
    Family("llama", "llama3_json", template=r"\"parameters\"|python_tag|ipython"),
    Family("mi(ni)?stral.*|mixtral|pixtral", "mistral", "mistral", template=r"\[THINK\]"),
    Family("mi(ni)?stral.*|mixtral|pixtral", "mistral", template=r"\[TOOL_CALLS\]"),
    Family("glm4_moe|glm4v_moe", "glm45", "glm45"),
    Family("glm.*moe.*|glm5.*", "glm47", "glm47"),
    Family("kimi_k3.*", "kimi_k3", "kimi_k3"),
    Family("kimi_k2.*|kimi.*", "kimi_k2", "kimi_k2"),
    Family("minimax_m3.*", "minimax_m3", "minimax_m3"),
    Family("minimax_m2.*|minimax.*", "minimax_m2", "minimax_m2"),
    Family("seed_oss", "seed_oss", "seed_oss"),
    Family("step3p5.*", "step3p5", "step3p5"),
    Family("step3.*", "step3", "step3"),
    Family("ernie4_5.*", "ernie45", "ernie45"),
    Family("hunyuan.*", "hunyuan_a13b", "hunyuan_a13b"),
    Family("granitemoehybrid|granite4.*", "granite4"),
    Family("granite.*", "granite", "granite", template=r"thinking"),
    Family("granite.*", "granite"),
    Family("phi4mm|phi3|phi4.*", "phi4_mini_json", template=r"<\|tool"),
    Family("gemma4.*", "gemma4", "gemma4"),
    Family("gemma3_text", "functiongemma", template=r"start_function_declaration"),
    Family("cohere2.*|cohere", "cohere_command3", "cohere_command3", template=r"START_THINKING"),
    Family("nemotron.*", "qwen3_coder", "nemotron_v3", template=THINKS),
    Family("mimo.*", "mimo", "mimo"),
    Family("olmo3.*", "olmo3", "olmo3"),
    Family("lfm2.*", "lfm2"),
    Family("longcat.*", "longcat"),
    Family("internlm.*", "internlm"),
    Family("jamba", "jamba"),
    Family("apertus", "apertus"),
    Family(".*", "hermes", template=r"<tool_call>"),
    Family(".*", None, "deepseek_r1", template=THINKS),
)
NO_FAMILY = Family("")


def family_of(files: TransformerFiles) -> Family:
    """The family, without what its template does not do."""
    template = files.chat_template or ""
    found = next((family for family in FAMILIES if _matches(family, files, template)), NO_FAMILY)
    if not files.knows_tools:
        found = msgspec.structs.replace(found, tools=None)
    return found


def _matches(family: Family, files: TransformerFiles, template: str) -> bool:
    return (
        re.fullmatch(family.model_type, files.model_type) is not None
        and re.search(family.template, template) is not None
    )
