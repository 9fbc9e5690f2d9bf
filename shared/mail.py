"""Writes an e-mail from a template and sends it by SMTP; a refusal says whether trying again makes sense."""

import smtplib
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from jinja2 import Environment

from shared.clock import now
from shared.outbox import SendFailed

TIMEOUT_S = 20


class Mailer:
    """Sends mails through one SMTP server. `sender` is the From address; `domain` ends every Message-ID."""

    def __init__(
        self, host: str, port: int, sender: str, *, start_tls: bool = False, user: str = "", password: str = ""
    ):
        self._host, self._port, self._sender = host, port, sender
        self._start_tls, self._user, self._password = start_tls, user, password

    def send(self, to: str, subject: str, text: str, message_id: str) -> None:
        """Send one mail to one address. `message_id` is the part before the @: the same for a repeat.

        Raises SendFailed; permanent when the server refused with a 5xx.
        """
        message = EmailMessage()
        local, _, domain = to.rpartition("@")
        message["From"] = self._sender
        message["To"] = Address(username=local, domain=domain)  # never parsed again, so never two recipients
        message["Subject"] = subject
        message["Date"] = format_datetime(now())
        message["Message-ID"] = f"<{message_id}@{self._sender.rpartition('@')[2].rstrip('>')}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        try:
            with smtplib.SMTP(self._host, self._port, timeout=TIMEOUT_S) as server:
                if self._start_tls:
                    server.starttls(context=ssl.create_default_context())
                if self._user:
                    server.login(self._user, self._password)
                server.send_message(message)
        except smtplib.SMTPRecipientsRefused as refused:
            code = max(code for code, _ in refused.recipients.values())
            raise SendFailed(f"the mail server refused the recipient ({code})", permanent=code >= 500) from None
        except smtplib.SMTPResponseException as refused:
            permanent = refused.smtp_code >= 500
            raise SendFailed(f"the mail server refused ({refused.smtp_code})", permanent=permanent) from None
        except (OSError, smtplib.SMTPException) as error:
            raise SendFailed(f"the mail server cannot be reached ({type(error).__name__})", permanent=False) from None


def render_mail(templates: Environment, name: str, **values: object) -> tuple[str, str]:
    """Subject and text of a mail: the first line of the template is the subject, the rest the text."""
    written = templates.get_template(name).render(**values)
    subject, _, text = written.partition("\n")
    return subject.strip(), text.strip() + "\n"
