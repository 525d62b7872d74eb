# 1-csv.sh
cp node_modules/rowmill/examples/*.py .
python3 make_rows.py 1000 rows.csv
python3 serial_job.py rows.csv serial.csv                     # the original job
rowmill run rows.csv classified.csv --classifier black_box.py
cmp serial.csv classified.csv                                 # the same bytes
