import host_frame
import host_target


def classify_df(df):
    df['CLASS'] = host_frame.LABEL + host_target.LABEL
