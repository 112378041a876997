"""How far a deployment has come, in DeepInfra's words, from what is observed of it."""

from penstock.control.decide import copies_when_awake, recipe_in_force
from penstock.control.observed import Observed, Preparation, Wish
from penstock.domain.deployment import DeploymentProgress, DeploymentStatus


def progress_of(wish: Wish, seen: Observed) -> DeploymentProgress:
    """One that only a call would start is `running`, with no instances: it can be used."""
    preparation = seen.preparation(recipe_in_force(wish, seen))
    status = status_of(wish, seen, preparation)
    downloading = status is DeploymentStatus.DOWNLOADING and preparation is not None
    failed = status is DeploymentStatus.FAILED
    return DeploymentProgress(
        status=status,
        generation=wish.spec.generation,
        running=sum(copy.ready for copy in seen.copies),
        pending=sum(copy.live and not copy.ready for copy in seen.copies),
        wanted=0 if wish.off or seen.asleep else copies_when_awake(wish, seen),
        percent=preparation.percent if downloading and preparation is not None else None,
        fail_reason=reason_of_failure(seen, preparation) if failed else "",
        update_error=seen.update_error,
    )


def status_of(wish: Wish, seen: Observed, preparation: Preparation | None) -> DeploymentStatus:
    """The first that holds."""
    live = any(copy.live for copy in seen.copies)
    cases = (
        (wish.spec.deleted, DeploymentStatus.DELETED),
        (wish.spec.stopped, DeploymentStatus.STOPPED),
        (any(copy.ready for copy in seen.copies), DeploymentStatus.RUNNING),
        (preparation is None and seen.asleep and not seen.calls, DeploymentStatus.RUNNING),
        (preparation is None, DeploymentStatus.INITIALIZING),
        (preparation is not None and preparation.fault is not None, DeploymentStatus.FAILED),
        (not live and any(copy.failed for copy in seen.copies), DeploymentStatus.FAILED),
        (preparation is not None and preparation.percent is not None, DeploymentStatus.DOWNLOADING),
        (preparation is not None and preparation.need is None, DeploymentStatus.INITIALIZING),
        (not live and seen.asleep and seen.asked_s is None, DeploymentStatus.RUNNING),
    )
    return next((status for holds, status in cases if holds), DeploymentStatus.DEPLOYING)


def reason_of_failure(seen: Observed, preparation: Preparation | None) -> str:
    if preparation is not None and preparation.fault is not None:
        return preparation.fault
    return next((copy.reason for copy in seen.copies if copy.failed), "")
