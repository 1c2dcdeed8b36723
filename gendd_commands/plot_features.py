"""Draw features of test images: the teacher's, generated ones, and the student's.

    gendd-plot-features CONFIG CHECKPOINT --out features.png

by t-SNE, side by side, coloured by class. Teacher and generated share one embedding.
"""

import argparse

from gendd_commands.command_line import add_cfg_options, add_traceback, user_errors


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Draw features side by side')
    parser.add_argument('config', help='config file of the run')
    parser.add_argument('checkpoint', help='checkpoint of the run')
    parser.add_argument('--out', default='features.png', help='picture, default features.png')
    parser.add_argument('--num-images', type=int, default=1000, help='default 1000')
    parser.add_argument('--perplexity', type=float, default=30.0, help='of t-SNE, default 30')
    add_cfg_options(parser)
    add_traceback(parser)
    args = parser.parse_args()
    if args.num_images < 1:
        parser.error(f'--num-images {args.num_images} must be at least 1.')
    return args


def main() -> None:
    """Draw them."""
    args = parse_args()
    with user_errors():
        # Only now: --help needs no stack.
        from mmengine.logging import MMLogger

        from gendd_mm.analysis import check_picture, draw_feature_map, feature_map
        from gendd_mm.engine.options import read_run

        check_picture(args.out)
        MMLogger.get_current_instance().setLevel('ERROR')
        cfg = read_run(args.config, args.cfg_options)
        features = feature_map(cfg, args.checkpoint, args.num_images)
        draw_feature_map(features, args.out, args.perplexity)
    print(f'wrote {args.out}')


if __name__ == '__main__':
    main()
