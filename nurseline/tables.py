"""Every table of the house, for migrations and for checks that the schema fits."""

from nurseline.aftercare import models as aftercare
from nurseline.callbacks import models as callbacks
from nurseline.clinic import models as clinic
from nurseline.consent import models as consent
from nurseline.db import Base
from nurseline.intake import models as intake
from nurseline.messaging import models as messaging
from nurseline.staff import models as staff
from nurseline.watch import models as watch

__all__ = ["Base", "aftercare", "callbacks", "clinic", "consent", "intake", "messaging", "staff", "watch"]
