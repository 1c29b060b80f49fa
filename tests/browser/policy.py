"""A strict content security policy, so that a browser complains of anything inline or from elsewhere."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def strict(get_response):
    def answer(request):
        response = get_response(request)
        response.headers["Content-Security-Policy"] = POLICY
        return response

    return answer
