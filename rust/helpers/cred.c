// SPDX-License-Identifier: GPL-2.0

#include <linux/cred.h>

const struct cred *raio_helper_current_cred(void)
{
	return current_cred();
}

const struct cred *raio_helper_current_real_cred(void)
{
	return current_real_cred();
}

const struct cred *raio_helper_get_current_cred(void)
{
	return get_current_cred();
}

const struct cred *raio_helper_override_creds(const struct cred *cred)
{
	return override_creds(cred);
}

void raio_helper_revert_creds(const struct cred *old)
{
	revert_creds(old);
}
