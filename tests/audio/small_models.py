"""Small random models of transformers and diffusers, saved to folders as the libraries do it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

CLAP_AUDIO: dict[str, Any] = {
    "spec_size": 256,
    "window_size": 8,
    "num_mel_bins": 64,
    "patch_size": 4,
    "patch_stride": [4, 4],
    "depths": [1, 1],
    "num_attention_heads": [2, 2],
    "hidden_size": 32,
    "patch_embeds_hidden_size": 16,
    "enable_fusion": False,
    "projection_dim": 512,
}
CLAP_TEXT: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 90,
    "projection_dim": 512,
}
AST: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "num_labels": 527,
}
ENCODEC: dict[str, Any] = {
    "num_filters": 4,
    "hidden_size": 32,
    "codebook_dim": 32,
    "codebook_size": 64,
}
W2V_BERT: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
}
CAPTIONS = ["a calm piano piece", "fast drums with shouting and a distorted guitar", "piano"]


def use_small_configurations(monkeypatch: Any) -> None:
    """Make the random networks of transformers small, if it is installed."""
    try:
        import transformers
    except ImportError:
        return
    from bidsapp.audio.networks.ast import AudioSpectrogramTransformer
    from bidsapp.audio.networks.clap import Clap
    from bidsapp.audio.networks.encodec import Encodec
    from bidsapp.audio.networks.w2v_bert import W2vBert

    small = (
        (Clap, lambda: transformers.ClapAudioConfig(**CLAP_AUDIO)),
        (AudioSpectrogramTransformer, lambda: transformers.ASTConfig(**AST)),
        (Encodec, lambda: transformers.EncodecConfig(**ENCODEC)),
        (W2vBert, lambda: transformers.Wav2Vec2BertConfig(**W2V_BERT)),
    )
    for network, config in small:
        monkeypatch.setattr(network, "default_config", config)


def clap_config(**audio: Any) -> Any:
    """Make the configuration of a small CLAP; `audio` changes its audio tower."""
    import transformers

    return transformers.ClapConfig(
        text_config=CLAP_TEXT, audio_config=CLAP_AUDIO | audio, projection_dim=512
    )


def save_clap(folder: Path, seed: int = 0, **audio: Any) -> Path:
    """Save a small CLAP with its feature extractor and tokenizer."""
    import transformers

    torch.manual_seed(seed)
    transformers.ClapModel(clap_config(**audio)).save_pretrained(folder)
    truncation = "fusion" if audio.get("enable_fusion") else "rand_trunc"
    transformers.ClapFeatureExtractor(truncation=truncation).save_pretrained(folder)
    save_tokenizer(folder)
    return folder


def save_tokenizer(folder: Path) -> None:
    """Train a byte-level tokenizer on the captions and save it as RoBERTa's."""
    import tokenizers
    import transformers

    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained = tokenizers.ByteLevelBPETokenizer()
    trained.train_from_iterator(CAPTIONS, vocab_size=300, min_frequency=1, special_tokens=special)
    folder.mkdir(exist_ok=True, parents=True)
    trained.save_model(str(folder))
    names = {"vocab_file": folder / "vocab.json", "merges_file": folder / "merges.txt"}
    files = {name: str(path) for name, path in names.items()}
    tokenizer = tokenizers.Tokenizer(
        tokenizers.models.BPE.from_file(files["vocab_file"], files["merges_file"])
    )
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = tokenizers.processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        model_max_length=77,
    ).save_pretrained(folder)


def save_ast(folder: Path) -> Path:
    """Save a small spectrogram transformer with its feature extractor."""
    import transformers

    torch.manual_seed(1)
    transformers.ASTForAudioClassification(transformers.ASTConfig(**AST)).save_pretrained(folder)
    transformers.ASTFeatureExtractor().save_pretrained(folder)
    return folder


def save_w2v_bert(folder: Path, seed: int = 0) -> Path:
    """Save a small w2v-BERT with its feature extractor."""
    import transformers

    torch.manual_seed(seed)
    config = transformers.Wav2Vec2BertConfig(**W2V_BERT)
    transformers.Wav2Vec2BertModel(config).save_pretrained(folder)
    transformers.SeamlessM4TFeatureExtractor().save_pretrained(folder)
    return folder


def save_encodec(folder: Path, **changes: Any) -> Path:
    """Save a small EnCodec."""
    import transformers

    torch.manual_seed(2)
    config = transformers.EncodecConfig(**ENCODEC | changes)
    transformers.EncodecModel(config).save_pretrained(folder)
    return folder


def save_pipeline(folder: Path, class_name: str) -> Path:
    """Save a small AudioLDM or MusicLDM: every part random, 4,096 samples in .256 s."""
    import diffusers
    import transformers

    save_tokenizer(folder / "words")
    torch.manual_seed(3)
    unet = diffusers.UNet2DConditionModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        norm_num_groups=8,
        sample_size=32,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=(8, 16),
        class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=512,
        class_embeddings_concat=True,
    )
    vae = diffusers.AutoencoderKL(
        block_out_channels=[8, 16],
        in_channels=1,
        out_channels=1,
        norm_num_groups=8,
        down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2,
        latent_channels=4,
    )
    vocoder = transformers.SpeechT5HifiGanConfig(
        model_in_dim=8,
        sampling_rate=16_000,
        upsample_initial_channel=16,
        upsample_rates=[2, 2],
        upsample_kernel_sizes=[4, 4],
        resblock_kernel_sizes=[3, 7],
        resblock_dilation_sizes=[[1, 3, 5], [1, 3, 5]],
        normalize_before=False,
    )
    parts: dict[str, Any] = {
        "vae": vae,
        "unet": unet,
        "scheduler": diffusers.DDIMScheduler(clip_sample=False, set_alpha_to_one=False),
        "vocoder": transformers.SpeechT5HifiGan(vocoder),
        "tokenizer": transformers.AutoTokenizer.from_pretrained(folder / "words"),
    }
    if class_name == "AudioLDMPipeline":
        text = transformers.ClapTextConfig(**CLAP_TEXT)
        parts["text_encoder"] = transformers.ClapTextModelWithProjection(text)
    else:
        parts["text_encoder"] = transformers.ClapModel(clap_config())
        parts["feature_extractor"] = transformers.ClapFeatureExtractor()
    getattr(diffusers, class_name)(**parts).save_pretrained(folder / class_name)
    return folder / class_name
