"""Muon for the matrices, AdamW for the rest: each matrix moves by its momentum made orthogonal, so that all directions of it
learn at one pace. (K. Jordan, "Muon: An optimizer for hidden layers in neural networks", 2024; the quintic's coefficients are his.)
"""
import torch

QUINTIC = (3.4445, -4.7750, 2.0315)


def orthogonal(matrices, rounds=4):
    """About U V' of the singular value decomposition of each of (count, rows, columns), by Newton-Schulz in bfloat16."""
    a, b, c = QUINTIC
    x = matrices.bfloat16()
    turned = x.shape[1] > x.shape[2]
    if turned:
        x = x.transpose(1, 2).contiguous()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(rounds):
        y = x @ x.transpose(1, 2)
        x = a * x + (b * y + c * (y @ y)) @ x
    return (x.transpose(1, 2) if turned else x).float()


class Muon:
    """A step's size is `rate`, scaled so that entries move as far as AdamW's do at the same rate."""

    def __init__(self, matrices, others, rate, momentum=0.95, decay=0.02):
        self.matrices, self.momentum, self.decay = list(matrices), momentum, decay
        self.moved = [torch.zeros_like(p) for p in self.matrices]
        # Weights of norms are of the size of one: at the rate of what is a tenth of that they hardly move.
        groups = [{"params": [p for p in others if p.dim() > 1], "times": 1.0}, {"params": [p for p in others if p.dim() == 1], "times": 4.0}]
        self.adam = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True)

    def zero_grad(self):
        for p in self.matrices:
            p.grad = None
        self.adam.zero_grad(set_to_none=True)

    @torch.no_grad()
    def step(self, rate):
        by_shape = {}
        for p, moved in zip(self.matrices, self.moved):
            moved.lerp_(p.grad, 1 - self.momentum)
            by_shape.setdefault(p.shape, []).append((p, p.grad.lerp(moved, self.momentum)))
        for shape, moves in by_shape.items():  # together: they are small
            for (p, _), update in zip(moves, orthogonal(torch.stack([move for _, move in moves]))):
                p.mul_(1 - rate * self.decay).add_(update, alpha=-rate * 0.2 * max(shape) ** 0.5)
        for part in self.adam.param_groups:
            part["lr"] = rate * part["times"]
        self.adam.step()

    def state_dict(self):
        return {"moved": self.moved, "adam": self.adam.state_dict()}

    def load_state_dict(self, state):
        self.moved = state["moved"]
        self.adam.load_state_dict(state["adam"])
