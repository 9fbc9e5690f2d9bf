"""The whole chain on one machine: starts the processes, makes a school, walks the manuals, catches the mails."""
