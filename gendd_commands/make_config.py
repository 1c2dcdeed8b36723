"""Write the config of your own pair: teacher, student and images by name.

    gendd-make-config --teacher torchvision:resnet50 --teacher-ckpt resnet50.pth \
        --student timm:mobilenetv3_small_050 --data data/flowers configs/flowers.py
    gendd-train configs/flowers.py

No size and no module of the networks is asked for: they are measured.
"""

import argparse

from gendd_commands.command_line import add_traceback, shown_command, user_errors


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Write the config of a pair')
    names = "timm:NAME, torchvision:NAME, a name of mmpretrain's model zoo, or a config file"
    parser.add_argument('out', metavar='OUT.py', help='file to write')
    parser.add_argument(
        '--teacher',
        required=True,
        help=f'{names}; or huggingface:FOLDER, as save_pretrained writes it. One without a '
        'classifier teaches its feature',
    )
    parser.add_argument(
        '--teacher-ckpt', help="its weights; left out, its library's own are fetched"
    )
    parser.add_argument('--student', required=True, help=names)
    parser.add_argument(
        '--data',
        required=True,
        metavar='FOLDER|LIST',
        help='train and val with a folder per class in each; or a folder per class; or images '
        'without folders; or tar shards; or a file with the path of an image on each line, and '
        'the number of its class behind it',
    )
    parser.add_argument(
        '--val-data',
        metavar='FOLDER|LIST',
        help='images to validate with (default: val or test in the folder)',
    )
    parser.add_argument(
        '--labels',
        action=argparse.BooleanOptionalAction,
        help='use the labels of the images, or not (default: if there are some)',
    )
    parser.add_argument(
        '--setting',
        default='recommended',
        metavar='NAME',
        help="recommended (default): the student gets a projector and the teacher's classifier, "
        "and labels are for classes of your own; paper: the paper's",
    )
    parser.add_argument('--epochs', type=int, default=100, help='default 100')
    parser.add_argument('--image-size', type=int, default=224, help='in pixels, default 224')
    parser.add_argument('--batch-size', type=int, default=64, help='of a process, default 64')
    add_traceback(parser)
    return parser.parse_args()


def main() -> None:
    """Write it."""
    args = vars(parse_args())
    with user_errors():
        # Only now: --help needs no stack.
        from gendd_mm.make_config import write_config

        found = write_config(**args)
    print(f'found {found}')
    print(f'wrote {args["out"]}; train it by')
    print(f'  {shown_command("train")} {args["out"]}')
