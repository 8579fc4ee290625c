// SPDX-License-Identifier: GPL-2.0

#include <linux/sched/signal.h>

void raio_helper_raise_xfsz(bool group)
{
	if (group)
		kill_pid(task_tgid(current), SIGXFSZ, 0);
	else
		send_sig(SIGXFSZ, current, 0);
}

void raio_helper_unblock_unblockable(sigset_t *set)
{
	sigdelsetmask(set, sigmask(SIGKILL) | sigmask(SIGSTOP));
}

void raio_helper_set_restore_sigmask(void)
{
	set_restore_sigmask();
}

bool raio_helper_test_and_clear_restore_sigmask(void)
{
	return test_and_clear_restore_sigmask();
}

bool raio_helper_is_only_notified(void)
{
	return test_thread_flag(TIF_NOTIFY_SIGNAL) && !task_sigpending(current);
}

bool raio_helper_fatal_signal_pending(void)
{
	return fatal_signal_pending(current);
}
