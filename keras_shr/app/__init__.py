"""A page in the browser: two models look at your picture, clean and perturbed.

`comparison` does the work, `views` shows it as pictures and HTML, `page` is the Gradio page; only
`page` needs gradio.
"""

from keras_shr.app.comparison import Answer, Comparer, Comparison, field_of_view

__all__ = ["Answer", "Comparer", "Comparison", "field_of_view"]
