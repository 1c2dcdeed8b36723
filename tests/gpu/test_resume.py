"""A run that was saved on a device goes on there as if it had never stopped."""

import pytest
import torch
from plain_head import Trained, batch


class Run:
    """Steps with AMP, and everything that a checkpoint keeps."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        torch.manual_seed(0)
        self.model = Trained(row_chunk=24).to(device)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.01)
        self.scaler = torch.amp.GradScaler(device.type, init_scale=256.0)

    def train(self, steps: range) -> None:
        for step in steps:
            self.optimizer.zero_grad()
            with torch.autocast(self.device.type, torch.bfloat16):
                loss = self.model(*batch(self.device, seed=step))
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()

    def save(self, path) -> None:
        random = (
            torch.cuda.get_rng_state(self.device)
            if self.device.type == 'cuda'
            else torch.get_rng_state()
        )
        states = {name: getattr(self, name).state_dict() for name in self.parts}
        torch.save(dict(states, random=random), path)

    def load(self, path) -> None:
        saved = torch.load(path, map_location='cpu', weights_only=True)
        for name in self.parts:
            getattr(self, name).load_state_dict(saved[name])
        if self.device.type == 'cuda':
            torch.cuda.set_rng_state(saved['random'], self.device)
        else:
            torch.set_rng_state(saved['random'])

    parts = ('model', 'optimizer', 'scaler')


@pytest.mark.parametrize('forget', [None, 'optimizer'])
def test_a_resumed_run_is_the_unbroken_one(device, tmp_path, forget):
    unbroken = Run(device)
    unbroken.train(range(3))
    unbroken.save(tmp_path / 'run.pth')
    unbroken.train(range(3, 6))
    resumed = Run(device)
    resumed.parts = tuple(part for part in resumed.parts if part != forget)
    resumed.load(tmp_path / 'run.pth')
    resumed.train(range(3, 6))
    ends = [
        torch.cat([value.double().flatten() for value in run.model.state_dict().values()])
        for run in (unbroken, resumed)
    ]
    # The kernels of a GPU may add in another order.
    distance = (ends[0] - ends[1]).norm() / ends[0].norm()
    assert (distance < 1e-6) == (forget is None)
