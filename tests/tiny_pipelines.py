"""Makes tiny random diffusers pipelines: real architectures, a few hundred kilobytes, no hub.

    python tiny_pipelines.py DIRECTORY

makes DIRECTORY/KIND for each kind of pipeline, KIND.safetensors, which is a LoRA for it, and
flux.gguf, which is a transformer, quantised. It runs in an interpreter that has diffusers, which
the tests' own need not have. The pictures are noise; shapes, files, seeds and errors are real.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import torch
from diffusers import (
    AutoencoderKL,
    DiffusionPipeline,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from peft import LoraConfig, get_peft_model_state_dict
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
)

WIDTH = 32
CLIP_TOKENS = 77


def clip_tokenizer() -> CLIPTokenizer:
    """One token for each byte: enough to tell prompts apart."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocab = {word: at for at, word in enumerate(words)}
    return CLIPTokenizer(vocab=vocab, merges=[], model_max_length=CLIP_TOKENS)


def t5_tokenizer() -> PreTrainedTokenizerFast:
    letters = [chr(code) for code in range(33, 127)]
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    backend = Tokenizer(models.Unigram([*pieces, *((c, -3.0) for c in letters)], unk_id=2))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, model_max_length=512,
        pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
    )  # fmt: skip


def clip_config(words: int, **more: Any) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=words, hidden_size=WIDTH, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=CLIP_TOKENS, projection_dim=WIDTH,
        bos_token_id=words - 2, eos_token_id=words - 1, pad_token_id=words - 1, **more,
    )  # fmt: skip


def vae(latent_channels: int, **more: Any) -> AutoencoderKL:
    """Four blocks, so that a latent stands for 8 x 8 pixels as in the real ones."""
    return AutoencoderKL(
        block_out_channels=(8, 8, 16, 16), in_channels=3, out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=latent_channels, layers_per_block=1, norm_num_groups=4, sample_size=64,
        **more,
    )  # fmt: skip


def unet(**more: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        block_out_channels=(16, 32), layers_per_block=1, sample_size=16, in_channels=4,
        out_channels=4, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), norm_num_groups=4,
        attention_head_dim=4, **more,
    )  # fmt: skip


def flux() -> FluxPipeline:
    clip = clip_tokenizer()
    t5 = t5_tokenizer()
    return FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(),
        vae=vae(4, use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.0,
                scaling_factor=1.0),
        text_encoder=CLIPTextModel(clip_config(len(clip))),
        tokenizer=clip,
        text_encoder_2=T5EncoderModel(
            T5Config(vocab_size=len(t5), d_model=WIDTH, d_kv=8, d_ff=64, num_layers=2, num_heads=4)
        ),
        tokenizer_2=t5,
        transformer=FluxTransformer2DModel(
            patch_size=1, in_channels=16, num_layers=1, num_single_layers=1,
            attention_head_dim=16, num_attention_heads=2, joint_attention_dim=WIDTH,
            pooled_projection_dim=WIDTH, axes_dims_rope=(4, 4, 8), guidance_embeds=False,
        ),
    )  # fmt: skip


def stable_diffusion() -> StableDiffusionPipeline:
    clip = clip_tokenizer()
    return StableDiffusionPipeline(
        vae=vae(4),
        text_encoder=CLIPTextModel(clip_config(len(clip))),
        tokenizer=clip,
        unet=unet(cross_attention_dim=WIDTH),
        scheduler=EulerDiscreteScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def sdxl() -> StableDiffusionXLPipeline:
    clip = clip_tokenizer()
    return StableDiffusionXLPipeline(
        vae=vae(4),
        text_encoder=CLIPTextModel(clip_config(len(clip))),
        text_encoder_2=CLIPTextModelWithProjection(clip_config(len(clip), hidden_act="gelu")),
        tokenizer=clip,
        tokenizer_2=clip,
        unet=unet(
            cross_attention_dim=2 * WIDTH, addition_embed_type="text_time",
            addition_time_embed_dim=8, projection_class_embeddings_input_dim=6 * 8 + WIDTH,
            use_linear_projection=True, transformer_layers_per_block=(1, 2),
        ),
        scheduler=EulerDiscreteScheduler(),
    )  # fmt: skip


KINDS: dict[str, Callable[[], Any]] = {
    "flux": flux,
    "stable_diffusion": stable_diffusion,
    "sdxl": sdxl,
}


def make_adapter(pipeline: DiffusionPipeline, file: Path) -> None:
    """Its changes are large, so that pictures show them."""
    name = "transformer" if hasattr(pipeline, "transformer") else "unet"
    model = getattr(pipeline, name)
    model.add_adapter(LoraConfig(r=2, lora_alpha=2, target_modules=["to_q", "to_v"]))
    layers = get_peft_model_state_dict(model)
    for key in layers:
        layers[key] = torch.randn_like(layers[key])
    pipeline.save_lora_weights(
        file.parent, weight_name=file.name, **{f"{name}_lora_layers": layers}
    )


def quantise(model: FluxTransformer2DModel, file: Path) -> None:
    writer = gguf.GGUFWriter(file, "flux")
    for name, tensor in model.state_dict().items():
        data = tensor.numpy()
        blocks = data.ndim == 2 and data.shape[1] % 32 == 0
        kind = gguf.GGMLQuantizationType.Q8_0 if blocks else gguf.GGMLQuantizationType.F32
        writer.add_tensor(name, gguf.quantize(data, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main() -> None:
    directory = Path(sys.argv[1])
    torch.manual_seed(0)
    torch.set_num_threads(1)
    for kind, make in KINDS.items():
        pipeline = make()
        pipeline.save_pretrained(directory / kind)
        if kind == "flux":
            quantise(pipeline.transformer, directory / "flux.gguf")
        make_adapter(pipeline, directory / f"{kind}.safetensors")


if __name__ == "__main__":
    main()
