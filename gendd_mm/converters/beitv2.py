"""BEiTv2 fine-tuned to classify, from timm and from its authors.

Both use the same names. The authors' files also contain the index tables,
which follow from the window size.
"""

from .architecture import Architecture, Rules

BEITV2_RULES: Rules = (
    (r'cls_token', r'backbone.cls_token'),
    (r'patch_embed\.proj\.(.+)', r'backbone.patch_embed.projection.\1'),
    (r'blocks\.(\d+)\.norm([12])\.(.+)', r'backbone.layers.\1.ln\2.\3'),
    (r'blocks\.(\d+)\.mlp\.fc1\.(.+)', r'backbone.layers.\1.ffn.layers.0.0.\2'),
    (r'blocks\.(\d+)\.mlp\.fc2\.(.+)', r'backbone.layers.\1.ffn.layers.1.\2'),
    # q and v have a bias, k has none; each is an entry of its own.
    (r'blocks\.(\d+)\.((attn\.|gamma_).+)', r'backbone.layers.\1.\2'),
    # The norm after the mean over the patches.
    (r'fc_norm\.(.+)', r'backbone.ln2.\1'),
    (r'head\.(weight|bias)', r'head.fc.\1'),
)


def _beitv2(arch: str, feature_dim: int) -> Architecture:
    return Architecture(
        dict(type='BEiTViT', arch=arch, img_size=224, patch_size=16, out_type='avg_featmap'),
        feature_dim,
        BEITV2_RULES,
        neck=None,
    )


BEITV2 = dict(base=_beitv2('base', 768), large=_beitv2('large', 1024))
