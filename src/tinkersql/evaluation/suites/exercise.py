"""The exercise's five questions on novel schemas, with every gold that a fair reader accepts.

Five questions are for reading side by side, not for a percentage. Where a question leaves open what to show, the golds
list the reasonable answers; the first one is shown as expected.
"""

from tinkersql.corpus.examples import Example

_TOP_CUSTOMERS = "FROM orders GROUP BY customer ORDER BY SUM(amount) DESC LIMIT 3"
_ENROLLED = "FROM courses AS T1 JOIN enrollments AS T2 ON T1.id = T2.course_id GROUP BY T1.department"

EXERCISE: tuple[Example, ...] = (
    Example(
        question="What are the names of employees in the engineering department?",
        schema="CREATE TABLE employees (id INTEGER, name VARCHAR, salary REAL, department VARCHAR)",
        golds=('SELECT name FROM employees WHERE department = "engineering"',),
        difficulty="easy",
    ),
    Example(
        question="How many products cost more than 50 dollars?",
        schema="CREATE TABLE products (id INTEGER, name VARCHAR, price REAL, category VARCHAR)",
        golds=("SELECT COUNT(*) FROM products WHERE price > 50",),
        difficulty="easy",
    ),
    Example(
        question="What is the highest score in the science class?",
        schema="CREATE TABLE students (id INTEGER, name VARCHAR, score INTEGER, class VARCHAR)",
        golds=('SELECT MAX(score) FROM students WHERE class = "science"',),
        difficulty="medium",
    ),
    Example(
        question="List the top 3 customers by total order amount.",
        schema="CREATE TABLE orders (id INTEGER, customer VARCHAR, amount REAL, date VARCHAR)",
        golds=(
            f"SELECT customer {_TOP_CUSTOMERS}",
            f"SELECT customer, SUM(amount) {_TOP_CUSTOMERS}",
        ),
        difficulty="medium",
    ),
    Example(
        question="How many students are enrolled in each department?",
        schema=(
            "CREATE TABLE courses (id INTEGER, name VARCHAR, department VARCHAR); "
            "CREATE TABLE enrollments (student_id INTEGER, course_id INTEGER, grade VARCHAR)"
        ),
        # A student in two courses of one department is two enrolments and one student; the question allows both.
        golds=(
            f"SELECT T1.department, COUNT(*) {_ENROLLED}",
            f"SELECT T1.department, COUNT(DISTINCT T2.student_id) {_ENROLLED}",
        ),
        difficulty="hard",
    ),
)
