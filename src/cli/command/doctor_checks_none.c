/* SPDX-License-Identifier: MIT */
#include "command/doctor_checks.h"

void doctor_examine(struct doctor *doctor)
{
    doctor_add(doctor, DOCTOR_MISSING, "recording", "not supported on this system");
}
