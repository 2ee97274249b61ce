"""Losses. Suffixes: B cases, T positions, M negatives, C candidates, D width."""

import torch
from torch import Tensor
from torch.nn import functional


def sampled_softmax(hidden_TD: Tensor, target_T: Tensor, negative_M: Tensor, items_ND: Tensor) -> Tensor:
    """Mean cross entropy of the next item against negatives shared by the whole batch.

    Shapes: hidden_TD float [T, D]; target_T int64 [T]; negative_M int64 [M]; items_ND float [N, D].
    A negative equal to the target is masked.
    """
    positive_T1 = (hidden_TD * items_ND[target_T]).sum(-1, keepdim=True)
    negative_TM = hidden_TD @ items_ND[negative_M].T
    negative_TM = negative_TM.masked_fill(negative_M[None, :] == target_T[:, None], float("-inf"))
    logits = torch.cat([positive_T1, negative_TM], dim=1)
    return functional.cross_entropy(logits, torch.zeros_like(target_T))


def listwise_softmax(scores_BC: Tensor, relevant_BC: Tensor, present_BC: Tensor) -> Tensor:
    """Mean over cases of the mean negative log probability of the relevant candidates; a case without any adds 0."""
    logs_BC = functional.log_softmax(scores_BC.masked_fill(~present_BC, -1e9), dim=1)
    found_B = relevant_BC.sum(1)
    loss_B = -(logs_BC * relevant_BC).sum(1) / found_B.clamp(min=1)
    return loss_B.sum() / (found_B > 0).sum().clamp(min=1)
