"""What users would write or take instead, and the machine's limit."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import nn

from benches.common.workloads import seconds


def sgemm_flops(threads: int) -> float:
    """What a product of two 4096 × 4096 matrices reaches, in FLOP/s."""
    torch.set_num_threads(threads)
    a, b = torch.rand(4096, 4096), torch.rand(4096, 4096)
    return 2 * 4096**3 / seconds(lambda: a @ b, 10)


class EagerNetwork(nn.Module):
    """The paper's network as anyone would write it in PyTorch."""

    def __init__(self, features: int) -> None:
        super().__init__()

        def hidden(widths: list[int]) -> nn.Sequential:
            layers: list[nn.Module] = []
            for a, b in pairwise(widths):
                layers += [nn.Linear(a, b), nn.ReLU()]
            return nn.Sequential(*layers)

        self.nd, self.head = hidden([features, 32, 16]), nn.Linear(16, 1)
        self.encoder, self.latent = hidden([features, 32, 16]), nn.Linear(16, 16)
        self.decoder, self.out = hidden([32, 16, 32]), nn.Linear(32, features)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The logit, and the reconstruction."""
        z0 = self.nd(x)
        z1 = self.latent(self.encoder(x))
        return self.head(z0).squeeze(1), self.out(self.decoder(torch.cat([z0, z1], 1)))


def eager_fit(rows: np.ndarray, epochs: int, weight: float = 0.2, batch: int = 128) -> EagerNetwork:
    """The paper's training in eager PyTorch: autograd, Adam(fused=True), batches of a shuffled epoch."""
    x = torch.from_numpy(rows)
    low, high = x.min(0).values, x.max(0).values
    x = (x - low) / (high - low)
    count = round(len(x) * 0.05)
    noise = x[torch.randint(len(x), (count,))] + torch.randn(count, x.shape[1])
    x, y = torch.cat([x, noise]), torch.cat([torch.zeros(len(x)), torch.ones(count)])
    network = EagerNetwork(x.shape[1])
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)
    for _ in range(epochs):
        order = torch.randperm(len(x))
        for at in order.split(batch):
            rows_, labels = x[at], y[at]
            logit, reconstruction = network(rows_)
            normal = labels == 0
            error = (rows_ - reconstruction).norm(dim=1)[normal].mean()
            loss = weight * nn.functional.binary_cross_entropy_with_logits(logit, labels) + (1 - weight) * error
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return network
