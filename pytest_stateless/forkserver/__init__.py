"""The zygote: started, told what to fork, reaped."""
